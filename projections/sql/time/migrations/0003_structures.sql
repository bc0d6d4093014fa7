-- Whether a table is adopted is asked when it matters: it may become so between two looks.
alter table acta.structures drop column adopted;
