"""Accounts, tasks and what becomes of them: the service below its wire protocols."""
