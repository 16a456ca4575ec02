"""Words every layer shares: errors, time, safe text."""
