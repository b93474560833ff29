"""ResNet-18 (He et al. 2015) as far as its last feature map.

Layer for layer torchvision's, under the same names of weights; torchvision itself takes longer to
import than two paintings take to compare.
"""

from collections.abc import Mapping

from torch import Tensor, nn

CHANNELS = 512
STRIDE = 32
STAGES = ((64, 64, 1), (64, 128, 2), (128, 256, 2), (256, CHANNELS, 2))
TORCHVISION_NAMES = ("conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3", "layer4")


class BasicBlock(nn.Module):
    """Two 3 × 3 convolutions and a way past them."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        """Build the block; a stride halves the map, and the way past it follows."""
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample = None
        if stride != 1:
            shortcut = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
            self.downsample = nn.Sequential(shortcut, nn.BatchNorm2d(outputs))

    def forward(self, features: Tensor) -> Tensor:
        """(B, inputs, H, W) → (B, outputs, H / stride, W / stride), rounded up."""
        past = features if self.downsample is None else self.downsample(features)
        features = self.relu(self.bn1(self.conv1(features)))
        found: Tensor = self.relu(self.bn2(self.conv2(features)) + past)
        return found


def resnet18() -> nn.Sequential:
    """(B, 3, H, W) → (B, 512, H / 32, W / 32), rounded up; random weights (He et al. 2015)."""
    network = nn.Sequential(
        nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False),
        nn.BatchNorm2d(64),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(3, stride=2, padding=1),
        *(
            nn.Sequential(BasicBlock(inputs, outputs, stride), BasicBlock(outputs, outputs, 1))
            for inputs, outputs, stride in STAGES
        ),
    )
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    return network


def from_torchvision(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Give torchvision's weights our names; its classifier is left out."""
    places = {name: str(place) for place, name in enumerate(TORCHVISION_NAMES)}
    parts = ((*name.partition("."), value) for name, value in state.items())
    return {f"{places[head]}.{rest}": value for head, _, rest, value in parts if head in places}


def torchvision_name(name: str) -> str:
    """The name that a weight of ours has in torchvision.

    >>> torchvision_name("4.0.conv1.weight")
    'layer1.0.conv1.weight'
    """
    place, _, rest = name.partition(".")
    return f"{TORCHVISION_NAMES[int(place)]}.{rest}"
