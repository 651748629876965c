"""What users download: the wheel, the source distribution, what they bring along."""
