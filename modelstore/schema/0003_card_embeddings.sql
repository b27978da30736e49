-- What text encoders make of the cards of models, each computed once.

CREATE TABLE card_embeddings (
    encoder VARCHAR NOT NULL,  -- where the encoder's weights are
    card VARCHAR NOT NULL,     -- md5 of the card
    embedding FLOAT[]
);
