"""The form a user sends: what a spec may say, how it is read, and how errors in it are told."""
