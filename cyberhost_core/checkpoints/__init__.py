"""One safetensors file per system (`file`), and its eight-bit storage (`packing`)."""
