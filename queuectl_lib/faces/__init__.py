"""What people and programs see: tables, reports, the command line."""
