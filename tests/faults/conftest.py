"""Faults: what goes wrong between client and server is ridden out, or said; nothing is lost or done twice."""
