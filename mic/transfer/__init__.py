"""From generated to real faces: the change of a face since the I-frame, from its residuals.

A small network reads what the bitstream says of a face (the residual accumulated along the motion
since the I-frame, that motion, the I-frame's own crop) and predicts how far MediaPipe's
blendshapes and FACS action units have moved since. It learns on generated people only, whose
films are drawn with everything at random that `mic.synthface` and the codec can vary, and is
asked about real ones.

    examples = generated(people, randomisation=Randomisation())
    student = fit(examples, inputs=("residual", "motion"), seed=0)
    predict(student, real())
"""
