/* SPDX-License-Identifier: MIT */
/* What each command's manual page says beside its options. */
#include "manual.h"

const manual_text MANUAL_TEXTS[] = {
    {"run",
     "Answers one prompt. The answer alone goes to standard output, everything else to standard "
     "error.\n\n"
     "The prompt is the argument, *--prompt*, *--file* and what is piped in, those that there are "
     "joined by blank lines in that order. Where the model has a chat template, it is applied; "
     "*--no-chat* gives the model the raw text. A prompt that does not fit the context is an "
     "error, "
     "nothing is cut.\n\n"
     "With *--json* one document tells the text, the token ids, why the answer ended, the seed and "
     "the timings. Ctrl-C ends the answer with exit status 130.",
     "The model that is part of the program\tapr run demo \"What is 2+2?\"\n"
     "A file and a question about it\tcat main.c | apr run model.gguf \"Explain this.\"\n"
     "Always the same answer\tapr run model.gguf \"Write strlen in C.\" --temperature 0 -n 200\n"},
    {"chat",
     "A conversation. Keys and values of earlier turns are kept, so that only the new turn is "
     "computed. A line that begins with / and a name is a command, see *COMMANDS IN A CHAT*.\n\n"
     "At a terminal lines are edited, with a history in $XDG_STATE_HOME/apr/chat\\_history (or "
     "~/.local/state) that only its owner can read; _APR\\_NOHISTORY=1_ keeps none. A pasted text "
     "is one "
     "message. When the conversation no longer fits the context, the chat says so and asks before "
     "anything is forgotten.\n\n"
     "Without a terminal each line is a turn, nothing but the answers is printed on standard "
     "output, "
     "and the first error ends the chat. It ends with the input.",
     "Talk with a model\tapr chat model.gguf --system \"Be brief.\"\n"
     "Two turns from a script\tprintf 'My name is Ada.\\\\nWhat is my name?\\\\n' | apr chat "
     "model.gguf\n"
     "What else was likely at each token\tapr chat model.gguf --inspect\n"},
    {"tokenize",
     "Prints one id and its piece a line. Special tokens in the text are recognised, and the token "
     "that begins a text is added where the model asks for it, unless *--no-special* is given. "
     "MODEL may "
     "be a _tokenizer.json_, or a file without weights.",
     "Tokens of a file\tapr tokenize model.gguf -f prompt.txt\n"},
    {"detokenize", "Prints the bytes of the tokens, without a line break behind them.",
     "There and back\tapr detokenize model.gguf $(apr tokenize model.gguf \"Hello\" | cut -f1)\n"},
    {"render",
     "Prints the prompt that a chat template makes of a conversation (a JSON array of messages "
     "with "
     "_role_ and _content_). An error in the template is told with its line and column.",
     "The prompt of a saved conversation\tapr render model.gguf --messages talk.json\n"},
    {"inspect", "Prints the metadata of a model, whatever its format.",
     "As a script reads it\tapr inspect model.gguf --json | jq .metadata.architecture\n"},
    {"tensors", "Lists the tensors: name, type, shape, bytes and where they are in the file.",
     "Weights of one block, with statistics\tapr tensors model.gguf --filter '*.0.*' --stats\n"},
    {"bench",
     "Measures prompts (pp) and generation (tg) in tokens per second, beside the memory's speed "
     "in the same run. Lists take several values.",
     "As llama-bench does by default\tapr bench model.gguf -p 512 -n 128 -r 5\n"},
    {"eval",
     "Perplexity on a text, cut into windows of *--ctx* tokens; with *--save-logits* and "
     "*--kl-against* the divergence of one file of a model from another.",
     "Perplexity\tapr eval model.gguf --text wiki.test.raw\n"},
    {"convert",
     "Writes a model in another format, or with other weight types. The format follows from the "
     "target's extension or *--format*. A file that is there stays, unless *--force* is given; the "
     "target "
     "appears whole or not at all. Weights that are implausible, or a model that contradicts its "
     "configuration, stop the conversion (exit status 5).",
     "A Hugging Face folder to GGUF in four bits\tapr convert model-folder -o model.gguf "
     "--quantize "
     "Q4_K_M\n"},
    {"import", "*apr convert --format apr*.", "Into the working folder\tapr import model.gguf\n"},
    {"export", "*apr convert* of an .apr file.", "To GGUF\tapr export model.apr -o model.gguf\n"},
    {"imatrix",
     "Runs the model over a text and records how large the inputs of every weight are. *apr "
     "convert --imatrix* rounds large ones with more care.",
     "For a quantisation\tapr imatrix model-f16.gguf --text calibration.txt -o imatrix.gguf\n"},
    {"validate",
     "Checks every checksum, shape and weight. Exit status 5 when something is wrong. "
     "*--quality* runs a table of checks in four groups of 25 points and shows the score; "
     "*--min-score* asks for one, *--strict* for no failed check at all. A check that does not "
     "apply to the model is skipped and neither earns nor costs points.",
     "A download\tapr validate model.gguf\n"
     "Before it is published\tapr validate model.gguf --min-score 95\n"},
    {"lint",
     "Says what a model file lacks, without reading its weights: license, description, "
     "pre-tokenizer, alignment, names, repeated matrices, merges that make no token. Warnings and "
     "errors end with exit status 5, with *--strict* notes too.",
     "What is missing\tapr lint model.gguf\n"},
    {"diff",
     "Compares what two models say (hyperparameters, chat template, further entries, vocabulary) "
     "and "
     "hold (shape, type and values of each tensor), whatever their formats. Exit status 0 when "
     "they are the same, 5 when they differ. With *--values* only the values of tensors count.",
     "Did the conversion change anything?\tapr diff model.gguf model-safetensors --values\n"},
    {"hex",
     "Shows the bytes of a model file with what they mean: header and tables, or with *--tensor* "
     "the blocks of a tensor and the weights that they stand for.",
     "The third block of a matrix\tapr hex model.gguf --tensor blk.0.attn\\_q.weight --block 2 "
     "--limit 1\n"},
    {"split",
     "Writes a model as a set of smaller files of the same format: GGUF files that llama.cpp opens "
     "too, a SafeTensors folder with its index, .apr files with their manifest. Tensors keep their "
     "bytes.",
     "For a file system that holds 4 GB a file\tapr split model.gguf --max-shard-size 4GB\n"},
    {"join",
     "Writes a set of files as one; any file of the set names it. What *apr split* made of a file "
     "becomes that file again, byte for byte.",
     "Back\tapr join model-00001-of-00003.gguf -o model.gguf\n"},
    {"merge",
     "Joins models of one architecture, size and vocabulary, value by value: *average*, "
     "*weighted*, *slerp* (two models along the arc between them) and *ties* (task vectors "
     "against *--base*: the largest stay, signs are elected, what agrees is averaged). Metadata "
     "and vocabulary are the first model's, and its weight types unless *--quantize* is given.",
     "Half of each\tapr merge a.gguf b.gguf -o ab.gguf\n"
     "Two fine-tunes of one base\tapr merge a.gguf b.gguf --strategy ties --base base.gguf -o "
     "ab.gguf\n"},
    {"canary",
     "*create* records what a model is: every field of its configuration, checksums of its "
     "vocabulary, the tokens that it makes of a text (*--input*, or one of many scripts), and of "
     "every tensor shape, mean, standard deviation, minimum, maximum and a checksum of the "
     "values. *check* holds a model against that and ends with exit status 5 when anything is "
     "not the same. The format does not count: a lossless conversion passes.\n\n"
     "Without *--tolerance* every weight has to be the same. With *--tolerance* _X_ the mean and "
     "the standard deviation of a tensor may be off by X recorded standard deviations, minimum "
     "and maximum by X of the range between them; configuration and tokenizer stay exact.",
     "Record a model\tapr canary create model.gguf -o model.canary.json\n"
     "Is it still the same?\tapr canary check model.gguf --canary model.canary.json\n"
     "Is the quantised one near?\tapr canary check model-q4.gguf --canary model.canary.json "
     "--tolerance 0.1\n"},
    {"rosetta",
     "Conversions between formats, compared and verified. Each verb has options of its own.",
     "Is a conversion exact?\tapr rosetta verify model.gguf\n"
     "Keep the statistics of a model\tapr rosetta fingerprint model.gguf -o model.prints.json\n"
     "Is a quantised one sound?\tapr rosetta validate-stats q4.gguf --fingerprints "
     "model.prints.json\n"},
    {"config",
     "Prints every option's value as the settings files and the environment give it; "
     "*--show-origin* adds the file and line, or the source.\n\n"
     "The strongest source decides: the command line, the environment (_APR\\_TOP\\_K_ for "
     "*--top-k*), a recipe, apr.yaml in the working folder, the user's, the system's, the model's "
     "own defaults, built-in ones. See *apr.yaml*(5).",
     "What is set at all\tapr config --show-origin | grep -v default\n"},
    {"completion",
     "Prints a script that completes commands, options, their values, files and recipes. An "
     "installed apr brings these scripts to the folders where the shells look for them.",
     "For this session of bash\tsource <(apr completion bash)\n"
     "For fish\tapr completion fish > ~/.config/fish/completions/apr.fish\n"},
    {"man", "Prints the source of a manual page, made from the table of options.",
     "A page of a program that is not installed\tapr man run | scdoc | man -l -\n"},
    {"help", "Shows the commands, or the options of one.", "Options of run\tapr help run\n"},
    {0},
};
