"""The neutral form of a chat call: what every format is translated to and from, so that N formats need N
translations and not N times N.
"""
