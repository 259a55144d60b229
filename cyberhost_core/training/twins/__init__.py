"""Small twins of the outside networks, trained on puppets: same files, same tensors, far smaller.

speech, speech_sounds               wav2vec2 folder    wave 16 kHz -> hidden states     what a voice says
face                                ArcFace-like       [N,3,112,112] -> [N,512]         CSIM, face identity
pose, pose_pictures, pose_damage    DWPose-like        [N,3,384,288] -> simcc_x and _y  whole-body keypoints
puppet_stills                       what face and pose are shown
loops                               how long and how fast each learns
onnx_export                         a network as a small ONNX file

The code path that loads a real network loads its twin, so what is tested is what a user runs.
A twin knows puppets and nothing else: it says nothing useful about a photograph of a person.
"""
