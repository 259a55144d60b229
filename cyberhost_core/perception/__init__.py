"""Outside networks, frozen, each behind a small class; their files are the user's.

pose            DWPose-like file -> Pose           wholebody       COCO-WholeBody's 133 points <-> Pose
person_boxes    YOLOX-like file -> everybody       clip_image      CLIP's vision tower -> one vector
face_identity   ArcFace-like file -> 512 numbers   warp            affine warps as those networks expect them
hearing         a voice -> one row per video frame, in whichever way a system hears: it chooses among
speech          wav2vec2 -> hidden states          wav2vec_file    reads its weights
stretched_speech  wav2vec2 at the frame rate       log_mel         what Whisper sees of a sound
whisper         Whisper's encoder -> its levels    whisper_file    reads its weights, also by OpenAI's names
recorded        the states between layers          hugging_face    folders and networks of that library
checked_wave    the look at a sound before all that
signatures      the sizes that DWPose and ArcFace fixed
network         a file of either kind, opened      onnx_session    the one place that imports onnxruntime
torch_network   a puppet network's own file        puppet_networks small twins of DWPose and ArcFace
graph_network   a network as a list of steps       people_file     several of them in one safetensors file
flatbuffer      tables in a file, as plain data    tflite          a TensorFlow Lite graph
people          that file's networks -> Pose       detectors       a detector of either kind, opened
people_bodies   their first two: 33 points         people_points   those and the mesh, in a Pose's order
people_regions  turned squares of a picture        anchors         what finders of bodies and palms say
tflite_steps    that graph as a list of steps      mediapipe_files MediaPipe's wheel -> a people_file
protocols       what callers ask of a network, so that another one drops in
"""
