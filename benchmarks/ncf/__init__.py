"""Suite ``ncf``: "Neural Collaborative Filtering" (X. He et al., WWW 2017, arXiv 1708.05031) on MovieLens-1M.

The published protocol: each user's last film is ranked among the 99 published films that the user did not
rate (of ``ml-1m.test.negative``); HR@10 and NDCG@10 are means over the 6040 users. Settings were chosen on
the validation split, one training pair of each user that no model trains on.
"""
