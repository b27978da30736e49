CREATE MODEL IF NOT EXISTS 'all-minilm-l6-v2' FROM 'zoo/all-minilm-l6-v2';
CREATE MODEL IF NOT EXISTS 'all-mpnet-base-v2' FROM 'zoo/all-mpnet-base-v2';
CREATE MODEL IF NOT EXISTS 'e5-small-enpt-q4' FROM 'zoo/e5-small-enpt-q4';
CREATE MODEL IF NOT EXISTS 'multilingual-e5-small-q4' FROM 'zoo/multilingual-e5-small-q4';
CREATE MODEL IF NOT EXISTS 'paraphrase-minilm-l3' FROM 'zoo/paraphrase-minilm-l3';
CREATE MODEL IF NOT EXISTS 'quire-distilbert-cased-tagger' FROM 'zoo/quire-distilbert-cased-tagger';
