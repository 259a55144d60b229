"""Sounds, pictures and videos in and out of files.

audio.py          any sound file -> Sound -> speech at 16 kHz
images.py         any picture -> upright RGB; PNG out
video.py          frames + Sound -> mp4, piece by piece; frames back
probe.py          what a video's header says
fit.py            a picture cropped and resized to what a system takes
contact_sheet.py  many frames on one page
curves.py         values over the frames of a clip
promise.py        what a sound file's header says, as against what it holds
sound_track.py    a Sound as AAC inside an open video file
output.py         a file appears whole or not at all
"""
