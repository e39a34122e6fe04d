"""How does each transform change the layers of a live model?"""
