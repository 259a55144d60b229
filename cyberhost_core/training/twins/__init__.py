"""Small twins of the outside networks, trained on puppets: same files, same tensors, far smaller.

    speech.py   wav2vec2 folder      wave 16 kHz -> hidden states at 50 Hz       heard by the video model
    face.py     ArcFace-like ONNX    [N,3,112,112] -> [N,512]                    CSIM, face identity
    pose.py     DWPose-like ONNX     [N,3,384,288] -> simcc_x, simcc_y           whole-body keypoints

The code path that loads a real network loads its twin, so what is tested is what a user runs.
A twin knows puppets and nothing else: it says nothing useful about a photograph of a person.
"""
