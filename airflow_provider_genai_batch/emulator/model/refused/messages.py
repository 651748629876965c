"""The messages that a request can contain: their fields and the type of each.

Written independently of the rest of this package, from the discovery document of ``aiplatform.googleapis.com``
(v1beta1), the proto files of ``generativelanguage.googleapis.com`` (v1beta) and, where those are outdated, the types
and converters of google-genai 3.6.1, which also show what only one of the services accepts. Autumn 2026.

A line, with the indented lines below it, is a message; ``name:kind`` is a field. Kinds are proto3's scalars,
``struct`` (any object), ``any``, ``enum``, ``duration``, ``timestamp``, another message, ``[kind]`` for a list
and ``{kind}`` for an object with arbitrary names.
"""

from __future__ import annotations

_BOTH = """
GenerateContentRequest model:string contents:[Content] systemInstruction:Content tools:[Tool]
  toolConfig:ToolConfig safetySettings:[SafetySetting] generationConfig:GenerationConfig
  cachedContent:string labels:{string} serviceTier:enum continuationToken:bytes
Content parts:[Part] role:string
Part text:string inlineData:Blob fileData:FileData functionCall:FunctionCall
  functionResponse:FunctionResponse executableCode:ExecutableCode codeExecutionResult:CodeExecutionResult
  videoMetadata:VideoMetadata thought:bool thoughtSignature:bytes mediaResolution:PartMediaResolution
  mediaProcessing:enum audioTranscription:Transcription speechMetadata:SpeechMetadata
  documentMetadata:DocumentMetadata spreadsheetMetadata:SpreadsheetMetadata audioMetadata:AudioMetadata
Blob mimeType:string data:bytes displayName:string
FileData mimeType:string fileUri:string displayName:string
FunctionCall id:string name:string args:struct
FunctionResponse id:string name:string response:struct parts:[FunctionResponsePart] scheduling:enum
FunctionResponsePart inlineData:FunctionResponseBlob fileData:FunctionResponseFileData
  mediaResolution:PartMediaResolution videoMetadata:VideoMetadata documentMetadata:DocumentMetadata
  spreadsheetMetadata:SpreadsheetMetadata audioMetadata:AudioMetadata
FunctionResponseBlob mimeType:string data:bytes displayName:string
FunctionResponseFileData mimeType:string fileUri:string displayName:string
ExecutableCode id:string language:enum code:string
CodeExecutionResult id:string outcome:enum output:string
VideoMetadata startOffset:duration endOffset:duration fps:double contentLayers:[enum]
DocumentMetadata startPage:int32 endPage:int32 contentLayers:[enum]
SpreadsheetMetadata visibleCells:string sheetIndex:int32 contentLayers:[enum]
AudioMetadata startOffset:duration endOffset:duration
PartMediaResolution level:enum numTokens:int32
SpeechMetadata speaker:string style:string
Transcription text:string finished:bool languageCode:string speakerLabel:string words:[WordInfo]
  startOffset:duration endOffset:duration
WordInfo word:string startOffset:duration endOffset:duration
Tool functionDeclarations:[FunctionDeclaration] googleSearch:GoogleSearch
  googleSearchRetrieval:GoogleSearchRetrieval codeExecution:CodeExecution urlContext:UrlContext
  computerUse:ComputerUse googleMaps:GoogleMaps
FunctionDeclaration name:string description:string parameters:Schema parametersJsonSchema:any
  response:Schema responseJsonSchema:any behavior:enum
Schema type:Type format:string title:string description:string nullable:bool enum:[string] items:Schema
  maxItems:int64 minItems:int64 properties:{Schema} required:[string] minProperties:int64
  maxProperties:int64 minimum:double maximum:double minLength:int64 maxLength:int64 pattern:string
  example:any anyOf:[Schema] propertyOrdering:[string] default:any
GoogleSearch timeRangeFilter:Interval searchTypes:SearchTypes
Interval startTime:timestamp endTime:timestamp
SearchTypes webSearch:WebSearch imageSearch:ImageSearch
WebSearch
ImageSearch
GoogleSearchRetrieval dynamicRetrievalConfig:DynamicRetrievalConfig
DynamicRetrievalConfig mode:enum dynamicThreshold:float
CodeExecution
UrlContext
ComputerUse environment:enum excludedPredefinedFunctions:[string] enablePromptInjectionDetection:bool
  disabledSafetyPolicies:[enum]
GoogleMaps enableWidget:bool authConfig:AuthConfig
AuthConfig
ToolConfig functionCallingConfig:FunctionCallingConfig retrievalConfig:RetrievalConfig
FunctionCallingConfig mode:enum allowedFunctionNames:[string]
RetrievalConfig latLng:LatLng languageCode:string
LatLng latitude:double longitude:double
SafetySetting category:enum threshold:enum
GenerationConfig candidateCount:int32 stopSequences:[string] maxOutputTokens:int32 temperature:float
  topP:float topK:float seed:int32 responseMimeType:string responseSchema:Schema responseJsonSchema:any
  presencePenalty:float frequencyPenalty:float responseLogprobs:bool logprobs:int32
  responseModalities:[enum] speechConfig:SpeechConfig thinkingConfig:ThinkingConfig
  imageConfig:ImageConfig mediaResolution:enum audioTranscriptionConfig:AudioTranscriptionConfig
  responseFormat:[ResponseFormat] translationConfig:TranslationConfig enableAffectiveDialog:bool
ThinkingConfig includeThoughts:bool thinkingBudget:int32 thinkingLevel:enum
ImageConfig aspectRatio:string imageSize:string
SpeechConfig voiceConfig:VoiceConfig multiSpeakerVoiceConfig:MultiSpeakerVoiceConfig languageCode:string
VoiceConfig prebuiltVoiceConfig:PrebuiltVoiceConfig replicatedVoiceConfig:ReplicatedVoiceConfig voice:string
PrebuiltVoiceConfig voiceName:string
ReplicatedVoiceConfig mimeType:string voiceSampleAudio:bytes
MultiSpeakerVoiceConfig speakerVoiceConfigs:[SpeakerVoiceConfig]
SpeakerVoiceConfig speaker:string voiceConfig:VoiceConfig
AudioTranscriptionConfig languageCodes:[string] languageAuto:LanguageAuto languageHints:LanguageHints
  customVocabulary:[string] adaptationPhrases:[string] wordTimestamp:bool diarization:bool mode:enum
  sourceText:string
LanguageAuto
LanguageHints languageCodes:[string]
TranslationConfig echoTargetLanguage:bool targetLanguageCode:string
ResponseFormat audio:AudioResponseFormat image:ImageResponseFormat text:TextResponseFormat
  video:VideoResponseFormat
AudioResponseFormat bitRate:int32 delivery:enum mimeType:enum sampleRate:int32
ImageResponseFormat aspectRatio:enum delivery:enum imageSize:enum mimeType:enum
TextResponseFormat mimeType:enum schema:any
VideoResponseFormat aspectRatio:enum delivery:enum duration:duration gcsUri:string resolution:string
EmbedContentRequest model:string content:Content taskType:enum title:string outputDimensionality:int32
  embedContentConfig:EmbedContentConfig
EmbedContentConfig taskType:enum title:string outputDimensionality:int32
"""

_GEMINI = """
GenerateContentRequest store:bool
Part toolCall:ToolCall toolResponse:ToolResponse partMetadata:struct
ToolCall id:string toolType:enum args:struct
ToolResponse id:string toolType:enum response:struct
FunctionResponse willContinue:bool
FunctionResponsePart mediaProcessing:enum
Tool fileSearch:FileSearch mcpServers:[McpServer]
FileSearch fileSearchStoreNames:[string] topK:int32 metadataFilter:string
McpServer name:string streamableHttpTransport:StreamableHttpTransport
StreamableHttpTransport url:string headers:{string} timeout:duration sseReadTimeout:duration
  terminateOnClose:bool
AuthConfig apiKey:string
ToolConfig includeServerSideToolInvocations:bool
GenerationConfig enableEnhancedCivicAnswers:bool _responseJsonSchema:any
ReplicatedVoiceConfig consentAudio:bytes voiceConsentSignature:VoiceConsentSignature
VoiceConsentSignature signature:string
Line key:string request:GenerateContentRequest metadata:struct
EmbedLine key:string request:EmbedContentRequest metadata:struct
InlinedRequests requests:[InlinedRequest]
InlinedRequest request:GenerateContentRequest metadata:struct
InlinedEmbedContentRequests requests:[InlinedEmbedContentRequest]
InlinedEmbedContentRequest request:EmbedContentRequest metadata:struct
"""

_VERTEX = """
GenerateContentRequest modelArmorConfig:ModelArmorConfig outputConfig:OutputConfig
ModelArmorConfig promptTemplateName:string responseTemplateName:string
OutputConfig outputUriPrefix:string
FunctionCall partialArgs:[PartialArg] willContinue:bool
PartialArg jsonPath:string boolValue:bool nullValue:enum numberValue:double stringValue:string
  willContinue:bool
FunctionCallingConfig streamFunctionCallArguments:bool
GenerationConfig audioTimestamp:bool routingConfig:RoutingConfig modelConfig:ModelConfig
RoutingConfig autoMode:AutoRoutingMode manualMode:ManualRoutingMode
AutoRoutingMode modelRoutingPreference:enum
ManualRoutingMode modelName:string
ModelConfig featureSelectionPreference:enum
ImageConfig personGeneration:enum prominentPeople:enum imageOutputOptions:ImageOutputOptions
ImageOutputOptions mimeType:string compressionQuality:int32
SafetySetting method:enum
Schema additionalProperties:any defs:{Schema} ref:string
GoogleSearch blockingConfidence:enum excludeDomains:[string]
GoogleMaps groundingTypes:GroundingTypes
GroundingTypes places:Places routing:Routing
Places
Routing
Tool enterpriseWebSearch:EnterpriseWebSearch exaAiSearch:ExaAiSearch parallelAiSearch:ParallelAiSearch
  retrieval:Retrieval
EnterpriseWebSearch blockingConfidence:enum excludeDomains:[string]
ExaAiSearch apiKey:string customConfigs:struct
ParallelAiSearch apiKey:string customConfigs:struct enableDataRetention:bool enableZeroDataRetention:bool
Retrieval disableAttribution:bool externalApi:ExternalApi vertexAiSearch:VertexAISearch
  vertexRagStore:VertexRagStore
ExternalApi apiAuth:ApiAuth apiSpec:enum authConfig:AuthConfig elasticSearchParams:ElasticSearchParams
  endpoint:string simpleSearchParams:SimpleSearchParams
ApiAuth apiKeyConfig:ApiAuthKeyConfig
ApiAuthKeyConfig apiKeySecretVersion:string apiKeyString:string
AuthConfig apiKeyConfig:ApiKeyConfig authType:enum googleServiceAccountConfig:GoogleServiceAccountConfig
  httpBasicAuthConfig:HttpBasicAuthConfig oauthConfig:OauthConfig oidcConfig:OidcConfig
ApiKeyConfig apiKeySecret:string apiKeyString:string httpElementLocation:enum name:string
GoogleServiceAccountConfig serviceAccount:string
HttpBasicAuthConfig credentialSecret:string
OauthConfig accessToken:string serviceAccount:string
OidcConfig idToken:string serviceAccount:string
ElasticSearchParams index:string numHits:int32 searchTemplate:string
SimpleSearchParams
VertexAISearch dataStoreSpecs:[DataStoreSpec] datastore:string engine:string filter:string maxResults:int32
DataStoreSpec dataStore:string filter:string
VertexRagStore ragCorpora:[string] ragResources:[RagResource] ragRetrievalConfig:RagRetrievalConfig
  similarityTopK:int32 storeContext:bool vectorDistanceThreshold:double
RagResource ragCorpus:string ragFileIds:[string]
RagRetrievalConfig filter:RagFilter hybridSearch:RagHybridSearch ranking:RagRanking topK:int32
RagFilter metadataFilter:string vectorDistanceThreshold:double vectorSimilarityThreshold:double
RagHybridSearch alpha:float
RagRanking llmRanker:LlmRanker rankService:RankService
LlmRanker modelName:string
RankService modelName:string
EmbedContentRequest autoTruncate:bool documentOcr:bool audioTrackExtraction:bool
EmbedContentConfig autoTruncate:bool documentOcr:bool audioTrackExtraction:bool mimeType:string
"""


def fields_of(backend: str) -> dict[str, dict[str, str]]:
    """Return the fields of every message and their types.

    Args:
        backend: ``gemini`` or ``vertex``.
    """
    result: dict[str, dict[str, str]] = {}
    message: dict[str, str] = {}
    for line in (_BOTH + (_GEMINI if backend == "gemini" else _VERTEX)).splitlines():
        words = line.split()
        if words and not line.startswith(" "):
            message = result.setdefault(words.pop(0), {})
        for word in words:
            name, _, kind = word.partition(":")
            message[name] = kind
    return result
