"""The file library: rows and objects together, so that neither is without the other."""
