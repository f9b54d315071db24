"""Recognition at low bit rates: joint super-resolution and valence, after Cheng et al. 2017.

training   fits SR-FCN, the target network and the temporal head
methods    HR, LR-S, non-joint-S, joint-S, joint-OA: predictions for every channel
study      tables of scores, gains at unseen factors, rate-distortion and its hull
residuals  the same idea in the compressed domain: one residual model for all rates
"""
