"""Outside networks, frozen, each behind a small class; their files are the user's.

pose            DWPose-like file -> Pose           wholebody       COCO-WholeBody's 133 points <-> Pose
face_identity   ArcFace-like file -> 512 numbers   warp            affine warps as those networks expect them
speech          wav2vec2 -> hidden states          wav2vec_file    reads its weights
signatures      the sizes that DWPose and ArcFace fixed
network         a file of either kind, opened      onnx_session    the one place that imports onnxruntime
torch_network   a puppet network's own file        puppet_networks small twins of DWPose and ArcFace
protocols       what callers ask of a network, so that another one drops in
"""
