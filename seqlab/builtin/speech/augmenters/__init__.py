"""The built-in augmenters: changes of sound, and of frames of features."""
