"""What a finished audit still answers: questions, other cards, other choices, exports."""
