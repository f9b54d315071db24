"""What a user pays: time, CPU and memory from the compressed file to the label.

`clips` makes the clips that are timed, `pipelines` runs each method end to end, `measure` times
them side by side.
"""
