print("discovery")
