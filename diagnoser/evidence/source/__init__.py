"""What could be changed in the user's own files, and where exactly? Read as text, never imported."""
