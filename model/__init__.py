"""The mathematics: triplets, warp, network, loss, training, embedding, metrics."""
