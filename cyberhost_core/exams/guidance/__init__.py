"""What does guidance by parts do to held-out puppets? PAHA's table 2, in small.

guidance_exam   who is shot how             guidance_numbers   what is read off the clips
guidance_report the table
classifier_exam how often the classifiers that it asks are right
"""
