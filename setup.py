"""Metadata of the keras-s2s package; the settings of the tools are in pyproject.toml."""

import re
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent


def version():
    text = (ROOT / "keras_s2s" / "_version.py").read_text(encoding="utf-8")
    return re.search(r'__version__ = "([^"]+)"', text).group(1)


# tensorflow-text is built for these machines only; elsewhere everything works but `export`.
TEXT_MACHINES = (
    "(sys_platform == 'linux' and platform_machine == 'x86_64') or sys_platform == 'darwin'"
)
TENSORFLOW = ["tensorflow>=2.21", f"tensorflow-text>=2.21.1; {TEXT_MACHINES}"]
TRAIN = ["babel>=2.19", "num2words>=0.5.14"]
METRICS = ["sacrebleu>=2.6", "pycocoevalcap>=1.2", "rouge-score>=0.1.2", "jiwer>=4"]
AUDIO = ["soundfile>=0.14"]
VISUALIZE = ["matplotlib>=3.11"]
JAX = ["jax>=0.10.2"]
TENSORBOARD = ["tensorboard>=2.21", *VISUALIZE]

setup(
    name="keras-s2s",
    version=version(),
    description="Sequence-to-sequence layers and trained models for Keras",
    long_description=(ROOT / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    author="The keras_s2s authors",
    license="Apache-2.0",
    keywords=["keras", "sequence-to-sequence", "translation", "image captioning", "attention"],
    python_requires=">=3.11",
    install_requires=[
        "keras>=3.15",
        "numpy>=2",
        "rich>=15",
        "sentencepiece>=0.2.1",
        "typer>=0.29",
        *TENSORFLOW,
    ],
    extras_require={
        "audio": AUDIO,
        "train": TRAIN,
        "metrics": METRICS,
        "visualize": VISUALIZE,
        "tensorboard": TENSORBOARD,
        "jax": JAX,
        "dev": [
            *TRAIN,
            *METRICS,
            *AUDIO,
            *JAX,
            *TENSORBOARD,
            # Comes with matplotlib; tests write images with it.
            "pillow>=13",
            "pytest>=9",
            "pytest-xdist>=3.8",
            "ruff==0.17.6",
            "setuptools>=77",
            "wheel",
        ],
    },
    py_modules=["keras_s2s_cli"],
    packages=[
        *find_packages(include=["keras_s2s", "keras_s2s.*"]),
        "keras_s2s.zoo.presets",
    ],
    # The trained presets lie at the top of the checkout and inside the package once installed.
    package_dir={"keras_s2s.zoo.presets": "zoo"},
    package_data={
        "keras_s2s.recipes": ["reference.toml"],
        "keras_s2s.zoo.presets": ["*/*", "*/assets/**/*"],
    },
    entry_points={"console_scripts": ["keras-s2s = keras_s2s_cli:main"]},
    classifiers=[
        "Development Status :: 3 - Alpha",
        "Intended Audience :: Developers",
        "Intended Audience :: Science/Research",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3.11",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
    ],
)
