"""What was measured on this machine, kept for the next start: by device, in one small file.

A file that cannot be read is as good as none: everything in it can be measured again.
"""
