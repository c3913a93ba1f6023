"""The forward proxy of `cloudserve emulate --intercept`: hosts of the clouds end in the emulator.

It opens no connection to anywhere. A host that no cloud has is refused with a sentence. Imported by
the emulator only.
"""
