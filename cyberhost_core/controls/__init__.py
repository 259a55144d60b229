"""What tells the model how to move and look: pure functions from keypoints, pictures and features to tensors.

    audio_windows   wav2vec2 steps -> one window per frame
    movement_map    where the body's root may go          skeleton_map   keypoints in OpenPose's colours
    regions         hand and face boxes, masks, crops     hand_clarity   how sharp each hand is
    face_masks      where a talking head listens          hand_drawing   hands as EchoMimicV2 draws them
    heatmaps        targets of the hand heads             drawing        the one rasteriser
    pose_keypoint   ComfyUI's POSE_KEYPOINT <-> Pose      pose_file      keypoints over time as a file
    limb_heatmaps   targets of the pose discriminator     awareness      where PAHA's loss looks

Nothing here runs a network: keypoints and speech features come from `perception`.
"""
