"""Suite ``ctr``: click-through models side by side on MovieLens-1M, and against FuxiCTR's.

The label is ``like`` (a rating of 4 or 5), the split is random by row, 80/10/10. Both libraries train on the
same encoded rows, with the same widths, batch size and rule of stopping; each has its own initial
weights, order of rows and optimizer settings.
"""
