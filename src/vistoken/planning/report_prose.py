"""What every report assumes, what it leaves out, and where its formulas are from."""

from __future__ import annotations

# One statement a paragraph.
_ASSUMPTIONS = """\
Compute is that of matrix products and convolutions as they run: no padding, attention within frames and windows.

One multiply-add (MAC) is two FLOPs. Papers and tools print either, often without saying which.

Not counted as compute: biases, norms, softmax, activations, residual additions, resizing of position tables; together
under 0.3 % of a ViT. Nor what happens to a picture before it is patches: decoding, resizing.

Memory is that of live tensors at the peak, which is more than the weights. Beside it, a GPU needs room for its context
and the allocator: an allowance by rule, not measured.

Memory is a property of code: a number holds for the implementation that is named, and for no other.

Latency is a forecast, hence a range; of the encoder alone, without loading, decoding or copying pictures. For one
picture on a GPU there is a lower bound only: starting kernels takes longer than running them.

The LLM is counted for the visual tokens of one picture or video. Its weights and its own latency are not.

Nothing here says how accurate a model is."""

_SOURCES = """\
Operations of a vision transformer: Dosovitskiy et al., arXiv 2010.11929; of attention: Vaswani et al., arXiv
1706.03762, section 3.2. Multiply-adds agree with torch's FlopCounterMode on transformers' models, to the unit.

Live tensors: code of transformers 5.23.0 and torch 2.13.0, followed line by line and held against a count of live
storages. int8 and int4: torchao, quantization/quant_api.py.

Two states a weight in AdamW: Loshchilov and Hutter, arXiv 1711.05101.

Latency: a roofline (Williams et al., doi 10.1145/1498765.1498785) with efficiencies fitted to timm's published results
(huggingface/pytorch-image-models at aa4b5850).

Keys and values in groups: Ainslie et al., arXiv 2305.13245; latent ones: DeepSeek-V2, arXiv 2405.04434."""


def _statements(text: str) -> tuple[str, ...]:
    return tuple(" ".join(each.split()) for each in text.split("\n\n"))


ASSUMPTIONS = _statements(_ASSUMPTIONS)
SOURCES = _statements(_SOURCES)
