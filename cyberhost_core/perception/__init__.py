"""Outside networks, frozen, each behind a small class; their files are the user's.

pose            DWPose-like ONNX -> Pose           wholebody      COCO-WholeBody's 133 points <-> Pose
face_identity   ArcFace-like ONNX -> 512 numbers   warp           affine warps as those networks expect them
speech          wav2vec2 -> hidden states          wav2vec_file   reads its weights
onnx_session    the one place that imports onnxruntime
protocols       what callers ask of a network, so that another one drops in
"""
