"""The command line: what every screen can do, without a screen. Each command imports what it needs when it runs."""
