"""Who pays and who agrees: the books of one audit, the owner's decision, the purse of a Space."""
