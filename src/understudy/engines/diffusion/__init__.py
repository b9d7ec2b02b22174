"""The GPU engines: diffusion models that see the driving video itself.

An engine writes an assignment (arrays in a folder); whoever has the model makes its segments there, one file each; the
engine reads them back as they come. So the model's process never opens a stranger's file, and a segment that is there
is not made twice.
"""
