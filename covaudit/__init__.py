"""CovAudit: is this chest-image classifier reading the disease, or the data set it came from?"""

__version__ = "0.1.0"

INTENDED_USE = "Research use only. Not a medical device. Not for clinical decisions."
