"""Google's short-lived credentials: token exchange and impersonation. For the emulator."""
