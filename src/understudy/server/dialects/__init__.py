"""The wire protocols that the server speaks: pure translations, both ways."""
