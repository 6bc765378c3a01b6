"""Suite ``histories``: does looking at a history step by step pay? DIN and DIEN on real sequences.

Amazon Beauty and Toys (5-core reviews in order of time): each user's last item among 19 sampled ones
that the user never had. MovieLens-100K: is a film liked, the newest tenth of all ratings judged.
Histories are what came strictly before. Settings were chosen on the validation rows.
"""
