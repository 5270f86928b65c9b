"""Figures and one self-contained page from studies; nothing is fetched, nothing is plotted live."""

from rather.report.figures import figures
from rather.report.gallery import gallery
from rather.report.page import page, pages
from rather.report.sheet import sheet

__all__ = ["figures", "gallery", "page", "pages", "sheet"]
