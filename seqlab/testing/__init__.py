"""The contract of components, as checks that a plugin's own tests can call.

    from seqlab.testing import check_encoder

    def test_my_encoder_keeps_the_contract():
        check_encoder(MY_COMPONENT, hidden_size=8)

Each check builds the component with the given configuration and raises AssertionError with what is broken.
"""

from seqlab.testing.augmenters import check_augmenter
from seqlab.testing.encoders import check_encoder
from seqlab.testing.featurizers import check_featurizer
from seqlab.testing.heads import check_head
from seqlab.testing.metrics import check_metric

__all__ = ["check_augmenter", "check_encoder", "check_featurizer", "check_head", "check_metric"]
