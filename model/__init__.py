"""The science: triplets, warps, network, loss, training, embedding and metrics."""
