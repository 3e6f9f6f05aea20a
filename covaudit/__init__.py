"""CovAudit: is this chest-image classifier reading the disease, or the data set it came from?"""

import os

# Threads that wait for each other sleep rather than spin. Measured with two trainings on two cores: 0.08 s a step
# instead of 2.8 s. OpenMP reads it when torch is loaded, which is always after this.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

__version__ = "0.2.0"

INTENDED_USE = "Research use only. Not a medical device. Not for clinical decisions."
