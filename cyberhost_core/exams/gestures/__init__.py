"""Do EMO2's two stages do what they are for?

gesture_exam, gesture_numbers, gesture_report   stage 1: hands from voices, seed by seed
feature_training                                the network that FGD compares motion by
video_exam                                      stage 2: does the video follow the hands?
"""
