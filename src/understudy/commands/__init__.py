"""The service's commands. Their modules import the server's packages only within functions."""
