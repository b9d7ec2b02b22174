"""The service's HTTP side: dialects, our own API, files, and the processes that serve them."""
