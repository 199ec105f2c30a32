"""What a run has shown: both arms, and which edits to blame or to thank."""
