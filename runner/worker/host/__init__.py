"""The process that holds torch: builds arms, runs their steps, reads their settings back."""
