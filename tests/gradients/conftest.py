"""The engine against torch: the same network, losses and optimizer, written again in torch, must
give the same numbers. Skipped where torch is not installed.
"""
